"""Structure files bent at random: half of them nearly sound, the others odd."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from ionvolt.web.examples import FOLDER
from web.serving import ROCK_SALT

POSCAR = """rock salt
1.0
0.0 2.1 2.1
2.1 0.0 2.1
2.1 2.1 0.0
Mg O
1 1
Direct
0 0 0
0.5 0.5 0.5
"""
SEEDS = [ROCK_SALT, POSCAR, *(path.read_text() for path in sorted(Path(FOLDER).glob("*.cif")))]
ODD = [
    "nan", "inf", "-1", "0", "0.001", "500", "1e300", "1e-300", "9" * 300, "?", ".", "'", '"', ";", "\n;\n", "\n", "#",
    "loop_", "data_", "data_b\n", "save_", "_", "$", "[", "0.5(", "0.5(3)", "1/3", "x,y,z", "'-x,-y,-z'", "'x+1/2,y,z'",
    "\x00", "\ufeff", "é", "\u2028", "\r", "_atom_site_occupancy", "_cell_length_a 3", "Qq", "D", "Fe3+", "Xe", "Pu",
    "_symmetry_Int_Tables_number 225", "'F d -3 m'", "'P 1'", "_space_group_name_Hall 'P 1'", "Selective", "Cartesian",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[str] = SEEDS) -> str:
    """A structure file with one to six changes."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["word", "number", "odd", "any", "copy", "cut", "line"]))
        at = draw(st.integers(0, len(text)))
        if kind in ("word", "number"):
            words = text.split(" ")
            new = draw(st.sampled_from(ODD)) if kind == "word" else repr(draw(st.floats(-10, 100)))
            words[draw(st.integers(0, len(words) - 1))] = new
            text = " ".join(words)
        elif kind == "odd":
            text = text[:at] + draw(st.sampled_from(ODD)) + text[at:]
        elif kind == "any":
            text = text[:at] + draw(st.text(max_size=6)) + text[at + draw(st.integers(0, 4)) :]
        elif kind == "copy":
            begin = draw(st.integers(0, len(text)))
            text = text[:at] + text[begin : begin + draw(st.integers(1, 300))] * draw(st.integers(1, 5)) + text[at:]
        elif kind == "cut":
            text = text[:at] + text[at + draw(st.integers(1, 200)) :]
        else:
            lines = text.splitlines(keepends=True) or [""]
            lines.insert(draw(st.integers(0, len(lines))), lines.pop(draw(st.integers(0, len(lines) - 1))))
            text = "".join(lines)
    return text
