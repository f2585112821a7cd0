// The periodic table: symbols, places and covalent radii (Cordero et al. 2008, Å).

export const SYMBOLS = (
  "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc " +
  "Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi " +
  "Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
).split(" ");

const RADII = (
  ".31 .28 1.28 .96 .84 .76 .71 .66 .57 .58 1.66 1.41 1.21 1.11 1.07 1.05 1.02 1.06 2.03 1.76 1.70 1.60 1.53 1.39 1.61 1.52 " +
  "1.50 1.24 1.32 1.22 1.22 1.20 1.19 1.20 1.20 1.16 2.20 1.95 1.90 1.75 1.64 1.54 1.47 1.46 1.42 1.39 1.45 1.44 1.42 1.39 " +
  "1.39 1.38 1.39 1.40 2.44 2.15 2.07 2.04 2.03 2.01 1.99 1.98 1.98 1.96 1.94 1.92 1.92 1.89 1.90 1.87 1.87 1.75 1.70 1.62 " +
  "1.51 1.44 1.41 1.36 1.36 1.32 1.45 1.46 1.48 1.40 1.50 1.50 2.60 2.21 2.15 2.06 2.00 1.96 1.90 1.87 1.80 1.69"
)
  .split(" ")
  .map(Number);

const NONMETALS = new Set("H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Te I Xe At Rn".split(" "));

export const covalentRadius = (symbol) => RADII[SYMBOLS.indexOf(symbol)] ?? 1.5;
export const isMetal = (symbol) => !NONMETALS.has(symbol);

/** Row and column (from 1) in the table of 18 columns; the f block stands in rows 9 and 10. */
export function place(z) {
  if (z === 1) return [1, 1];
  if (z === 2) return [1, 18];
  const starts = [3, 11, 19, 37, 55, 87, 119];
  const period = starts.findIndex((start, i) => z >= start && z < starts[i + 1]) + 2;
  const at = z - starts[period - 2];
  if (period <= 3) return [period, at < 2 ? at + 1 : at + 11];
  if (period <= 5) return [period, at + 1];
  if (at < 2) return [period, at + 1];
  if (at < 17) return [period + 3, at + 2]; // La to Lu, Ac to Lr
  return [period, at - 13];
}
