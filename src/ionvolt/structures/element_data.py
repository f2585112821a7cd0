"""Masses and electronegativities of the elements, as pymatgen has them: importing it takes longer than an answer."""

from __future__ import annotations


def _table(text: str) -> dict[str, float]:
    return {symbol: float(value) for symbol, _, value in (entry.partition("=") for entry in text.split())}


ATOMIC_MASSES = _table(
    "H=1.00794 He=4.002602 Li=6.941 Be=9.012182 B=10.811 C=12.0107 N=14.0067 O=15.9994 F=18.9984032 Ne=20.1797 "
    "Na=22.98976928 Mg=24.305 Al=26.9815386 Si=28.0855 P=30.973762 S=32.065 Cl=35.453 Ar=39.948 K=39.0983 Ca=40.078 "
    "Sc=44.955912 Ti=47.867 V=50.9415 Cr=51.9961 Mn=54.938045 Fe=55.845 Co=58.933195 Ni=58.6934 Cu=63.546 Zn=65.409 "
    "Ga=69.723 Ge=72.64 As=74.9216 Se=78.96 Br=79.904 Kr=83.798 Rb=85.4678 Sr=87.62 Y=88.90585 Zr=91.224 "
    "Nb=92.90638 Mo=95.94 Tc=98 Ru=101.07 Rh=102.9055 Pd=106.42 Ag=107.8682 Cd=112.411 In=114.818 Sn=118.71 "
    "Sb=121.76 Te=127.6 I=126.90447 Xe=131.293 Cs=132.9054519 Ba=137.327 La=138.90547 Ce=140.116 Pr=140.90765 "
    "Nd=144.242 Pm=145 Sm=150.36 Eu=151.964 Gd=157.25 Tb=158.92535 Dy=162.5 Ho=164.93032 Er=167.259 Tm=168.93421 "
    "Yb=173.04 Lu=174.967 Hf=178.49 Ta=180.94788 W=183.84 Re=186.207 Os=190.23 Ir=192.217 Pt=195.084 Au=196.966569 "
    "Hg=200.59 Tl=204.3833 Pb=207.2 Bi=208.9804 Po=210 At=210 Rn=220 Fr=223 Ra=226 Ac=227 Th=232.03806 Pa=231.03588 "
    "U=238.02891 Np=237 Pu=244 Am=243 Cm=247 Bk=247 Cf=251 Es=252 Fm=257 Md=258 No=259 Lr=262 Rf=267 Db=268 Sg=269 "
    "Bh=270 Hs=270 Mt=278 Ds=281 Rg=282 Cn=285 Nh=286 Fl=289 Mc=290 Lv=293 Ts=294 Og=294 "
)
"""g/mol, by symbol; of the longest-lived isotope where there is no stable one."""

ELECTRONEGATIVITIES = _table(
    "H=2.2 Li=0.98 Be=1.57 B=2.04 C=2.55 N=3.04 O=3.44 F=3.98 Na=0.93 Mg=1.31 Al=1.61 Si=1.9 P=2.19 S=2.58 Cl=3.16 "
    "K=0.82 Ca=1 Sc=1.36 Ti=1.54 V=1.63 Cr=1.66 Mn=1.55 Fe=1.83 Co=1.88 Ni=1.91 Cu=1.9 Zn=1.65 Ga=1.81 Ge=2.01 "
    "As=2.18 Se=2.55 Br=2.96 Kr=3 Rb=0.82 Sr=0.95 Y=1.22 Zr=1.33 Nb=1.6 Mo=2.16 Tc=1.9 Ru=2.2 Rh=2.28 Pd=2.2 "
    "Ag=1.93 Cd=1.69 In=1.78 Sn=1.96 Sb=2.05 Te=2.1 I=2.66 Xe=2.6 Cs=0.79 Ba=0.89 La=1.1 Ce=1.12 Pr=1.13 Nd=1.14 "
    "Pm=1.13 Sm=1.17 Eu=1.2 Gd=1.2 Tb=1.1 Dy=1.22 Ho=1.23 Er=1.24 Tm=1.25 Yb=1.1 Lu=1.27 Hf=1.3 Ta=1.5 W=2.36 "
    "Re=1.9 Os=2.2 Ir=2.2 Pt=2.28 Au=2.54 Hg=2 Tl=1.62 Pb=2.33 Bi=2.02 Po=2 At=2.2 Rn=2.2 Fr=0.7 Ra=0.9 Ac=1.1 "
    "Th=1.3 Pa=1.5 U=1.38 Np=1.36 Pu=1.28 Am=1.3 Cm=1.3 Bk=1.3 Cf=1.3 Es=1.3 Fm=1.3 Md=1.3 No=1.3 Lr=1.3 "
)
"""On Pauling's scale, by symbol; He, Ne, Ar and what comes after Lr have none."""
