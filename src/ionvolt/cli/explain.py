"""``ionvolt explain``: which atoms make the voltage."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionvolt.cli.choices import AssumeOption, DeviceOption, ModelOption
from ionvolt.cli.expectation import cell_text
from ionvolt.cli.outputs import free_stem
from ionvolt.cli.terminal import Column, folded, json_text, print_table, printable

if TYPE_CHECKING:
    from ionvolt.explain import Explanation
    from ionvolt.structures import Crystal, DisorderedCrystal

FIGURES = (".png", ".svg", ".pdf")


def explain(
    files: Annotated[
        list[str],
        typer.Argument(
            help="CIF or POSCAR files, folders, globs, Materials Project ids, or - for standard input.", metavar="FILE"
        ),
    ],
    ion: Annotated[
        str, typer.Option("--ion", "-i", help="Working ions: Mg, or Mg,Ca, or all.", metavar="ION[,ION…]|all")
    ],
    model: ModelOption = None,
    assume: AssumeOption = "auto",
    charged: Annotated[
        str | None,
        typer.Option(help="The charged structure, where the one FILE is the discharged one.", metavar="FILE2"),
    ] = None,
    discharged_formula: Annotated[
        str | None,
        typer.Option(
            help="Formula of the discharged electrode, where FILE is the charged host: MgMn2O4.", metavar="FORMULA"
        ),
    ] = None,
    charged_formula: Annotated[
        str | None,
        typer.Option(
            help="Formula of the charged electrode, or the fraction of the ions that comes out, where FILE is the "
            "discharged one: NaV2(PO4)3, 0.5.",
            metavar="FORMULA|FRACTION",
        ),
    ] = None,
    relax: Annotated[bool, typer.Option("--relax", help="Relax the given structures first (CHGNet).")] = False,
    exchange: Annotated[
        bool,
        typer.Option(
            "--exchange", help="Put the ion on the places of the mobile ion that is there, and relax: Na in LiFePO4."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write figure, JSON, CIF and pymatgen JSON there.", metavar="FOLDER"),
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write the figure (png, svg or pdf, by its ending).", metavar="FILE.png")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace files that are there; without it new ones get a number.")
    ] = False,
    device: DeviceOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON on standard output: an object, for several a list.")
    ] = False,
    cif: Annotated[
        Path | None,
        typer.Option(
            help="Write the crystal with _atom_site_ionvolt_contribution and _local_voltage.", metavar="FILE.cif"
        ),
    ] = None,
) -> None:
    """Print and draw what makes the voltage of an electrode, atom by atom and element by element.

    The model that predicts explains its own answer. The voltage is the one that predict gives.

    Exit code 0: every input was explained; 1: some were refused (one line each on standard error); 2: nothing
    could be done.
    """
    from ionvolt.cli.inputs import exit_code, only, require_inputs
    from ionvolt.errors import InputError

    require_inputs(files)
    if charged is not None:
        require_inputs([charged])
    for path in (png, cif):
        if path is not None and path.exists() and not replace:
            raise InputError(str(path), "a file of that name is there", "Give another name, or --replace")
    if png and png.suffix not in FIGURES:
        raise InputError(str(png), "no kind of figure", f"End its name in {', '.join(FIGURES)}")
    from ionvolt.ions import parse_ions

    ions = [chosen.symbol for chosen in parse_ions(ion)]
    from ionvolt.cli.progress import Bar
    from ionvolt.explain import explain_each, explain_many
    from ionvolt.explain.files import to_cif
    from ionvolt.prediction import as_model
    from ionvolt.structures import DisorderedCrystal

    predictor = as_model(model)
    predictor.require(ions)
    plain = assume == "auto" and not (charged or discharged_formula or charged_formula or relax or exchange)
    crystals, refused = _read(files, partly=plain)
    if charged is not None and len(crystals) + refused > 1:
        raise InputError("--charged", "it belongs to one discharged structure", "Give one FILE")
    if (png or cif) and (len(crystals) + refused > 1 or len(ions) > 1):
        raise InputError("--png --cif", "they are for one structure and one ion", "Give a folder: -o FOLDER")
    explanations: list[Explanation] = []
    other = only(charged) if charged is not None else None
    with Bar("explaining structures", len(crystals)) as bar:
        for crystal in crystals:
            if isinstance(crystal, DisorderedCrystal):
                answers = explain_many([crystal], ions, model=predictor)
            else:
                answers = explain_each(
                    [crystal], ions, model=predictor, assume=assume, charged=other, relax=relax, exchange=exchange,
                    discharged_formula=discharged_formula, charged_formula=charged_formula,
                )  # fmt: skip
            for found in answers:
                if isinstance(found, InputError):
                    print(f"ionvolt: {printable(str(found))}", file=sys.stderr)
                    refused += 1
                else:
                    explanations.append(found)
            bar.advance()
    if cif and explanations:
        cif.write_text(to_cif(explanations[0]), encoding="utf-8")
    if png and explanations:
        from ionvolt.explain.drawing import draw_explanation
        from ionvolt.explain.figures import save

        save(draw_explanation(explanation=explanations[0]), png)
    written = _write(explanations, output, replace) if output else []
    if as_json and explanations:
        content = [explanation.to_dict() for explanation in explanations]
        print(json_text(content[0] if len(content) == 1 else content, indent=None))
    else:
        for i, explanation in enumerate(explanations):
            print("\n" * bool(i), end="")
            _print_explanation(explanation)
        for path in written:
            print(folded(f"written: {path}"))
    raise typer.Exit(exit_code(len(explanations), refused))


def _read(files: list[str], *, partly: bool) -> tuple[list[Crystal | DisorderedCrystal], int]:
    """The crystals, disordered ones too where these may be asked about, and how many inputs were refused."""
    from ionvolt.errors import InputError
    from ionvolt.structures import read_many
    from ionvolt.structures.disorder import DisorderError

    crystals: list[Crystal | DisorderedCrystal] = []
    refused = 0
    for result in read_many(files):
        if partly and isinstance(result, DisorderError):
            crystals.append(result.crystal)
        elif isinstance(result, InputError):
            print(f"ionvolt: {printable(str(result))}", file=sys.stderr)
            refused += 1
        else:
            crystals.append(result)
    return crystals, refused


def _write(explanations: list[Explanation], folder: Path, replace: bool) -> list[Path]:
    """Files of all explanations; those of one formula and ion are told apart by where they came from.

    Where files of that name are there, of another polymorph perhaps, the new ones get a number.
    """
    from ionvolt.explain.files import stem_of, write_all

    names = [(e.prediction.formula, e.prediction.working_ion) for e in explanations]
    written: list[Path] = []
    for number, (explanation, name) in enumerate(zip(explanations, names, strict=True), start=1):
        source = re.sub(r"[^A-Za-z0-9._-]", "_", Path(explanation.prediction.source).stem)[:60]
        before = f"{number}-{source}-" if names.count(name) > 1 else ""
        stem = stem_of(explanation, before)
        written += write_all(explanation, folder, stem if replace else free_stem(folder, stem))
    return written


def _print_explanation(explanation: Explanation) -> None:
    p = explanation.prediction
    span = "" if p.voltage_lower is None else f", 90 % interval {p.voltage_lower:.2f} to {p.voltage_upper:.2f} V"
    words = f"{p.source}: {p.formula} against {p.working_ion}, taken as {p.end_members}: {p.voltage:.2f} V{span}"
    print(folded(words))
    if p.voltage_measured is not None:
        print(folded(f"expect {cell_text(p)} V in a cell ({p.measured_basis})"))
    if explanation.pooling == "sum":
        _print_sum(explanation)
    else:
        _print_mean(explanation)
    for note in (*explanation.notes, *p.warnings):
        print(folded(f"note: {note}"))


def _print_sum(explanation: Explanation) -> None:
    """The answer of a model whose atoms add up."""
    print(folded(f"explained by {explanation.prediction.model}, the model that gave it: what each atom adds"))
    print_table(
        [
            Column("atom"),
            Column("element", True),
            Column("adds (V)"),
            Column("potential\nalone (V)"),
            Column("coordi-\nnation"),
            Column("shell", True),
        ],
        [
            (
                str(site.index + 1),
                site.element,
                f"{site.contribution:+.3f} ± {site.contribution_std:.3f}",
                "" if site.contribution_potential is None else f"{site.contribution_potential:+.3f}",
                f"{site.coordination:.1f}",
                site.neighbours,
            )
            for site in sorted(explanation.sites, key=lambda s: (-round(s.contribution, 3), s.index))
        ],
    )
    for symbol, facts in sorted(explanation.elements.items(), key=lambda item: -item[1]["contribution"]):
        print(f"{symbol} adds {facts['contribution']:+.2f} V ({_atoms(facts)})")
    share = f"{100 * explanation.remainder_share:.0f} % of the answer"
    print(folded(f"{explanation.remainder:+.2f} V is not shared out ({share}): {explanation.remainder_is}"))


def _print_mean(explanation: Explanation) -> None:
    """The answer of a model whose atoms are averaged."""
    words = (
        f"explained by {explanation.prediction.model}, the model that gave it: mean of local voltages "
        f"{explanation.mean_local_voltage:.2f} V; atoms above it raise the voltage"
    )
    print(folded(words))
    linear = explanation.mean_linear_voltage
    if linear is not None:
        print(f"by the linear law of the paper: mean {linear:.2f} V (last column)")
    print_table(
        [
            Column("atom"),
            Column("element", True),
            Column("local\nvoltage (V)"),
            Column("coordi-\nnation"),
            Column("shell", True),
            Column("linear\n(V)"),
        ],
        [
            (
                str(site.index + 1),
                site.element,
                f"{site.local_voltage:+.2f} ± {site.local_voltage_std:.2f}",
                f"{site.coordination:.1f}",
                site.neighbours,
                "" if site.linear_voltage is None else f"{site.linear_voltage:+.2f}",
            )
            for site in sorted(explanation.sites, key=lambda s: (-round(s.local_voltage, 2), s.index))
        ],
    )
    print(f"the average host of the training gives {explanation.remainder:.2f} V; from there")
    for symbol, facts in sorted(explanation.elements.items(), key=lambda item: -item[1]["contribution"]):
        word = "raises" if facts["contribution"] > 0 else "lowers"
        about = f"{_atoms(facts)}, median {facts['median']:+.2f} V"
        print(f"{symbol} {word} it by {abs(facts['contribution']):.2f} V ({about})")


def _atoms(facts: dict[str, float]) -> str:
    return f"{facts['n']:.0f} atom{'s' if facts['n'] > 1 else ''}"
