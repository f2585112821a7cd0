"""``ionvolt cite``: what to cite for which answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer


@dataclass(frozen=True)
class Reference:
    """A publication that an answer rests on.

    Attributes:
        key: Its key in BibTeX.
        authors: Names, family name last, in the order of the publication.
        title: Title.
        journal: Journal; empty for software.
        volume: Volume.
        pages: First page or article number.
        year: Year.
        doi: Digital object identifier.
        gives: What of it IonVolt uses.
    """

    key: str
    authors: tuple[str, ...]
    title: str
    journal: str
    volume: str
    pages: str
    year: int
    doi: str
    gives: str

    def __str__(self) -> str:
        who = self.authors[0].split()[-1] + (" et al." if len(self.authors) > 2 else "")
        if len(self.authors) == 2:
            who = " and ".join(name.split()[-1] for name in self.authors)
        return f"{who}, {self.journal} {self.volume}, {self.pages} ({self.year}). doi:{self.doi}"

    def bibtex(self) -> str:
        """The entry for a bibliography."""
        fields = {
            "author": " and ".join(self.authors), "title": f"{{{self.title}}}", "journal": self.journal,
            "volume": self.volume, "pages": self.pages, "year": str(self.year), "doi": self.doi,
        }  # fmt: skip
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        return f"@article{{{self.key},\n{lines}\n}}"


REFERENCES = (
    Reference(
        "zhang2022", ("Xiuying Zhang", "Jun Zhou", "Jing Lu", "Lei Shen"),
        "Interpretable learning of voltage for electrode design of multivalent metal-ion batteries",
        "npj Computational Materials", "8", "175", 2022, "10.1038/s41524-022-00858-9",
        "the method: transfer from Li to other ions, local voltages",
    ),
    Reference(
        "jain2013",
        ("Anubhav Jain", "Shyue Ping Ong", "Geoffroy Hautier", "Wei Chen", "William Davidson Richards",
         "Stephen Dacek", "Shreyas Cholia", "Dan Gunter", "David Skinner", "Gerbrand Ceder", "Kristin A. Persson"),
        "Commentary: The Materials Project: A materials genome approach to accelerating materials innovation",
        "APL Materials", "1", "011002", 2013, "10.1063/1.4812323",
        "the calculated voltages on which every model was trained",
    ),
    Reference(
        "park2024", ("Yutack Park", "Jaesun Kim", "Seungwoo Hwang", "Seungwu Han"),
        "Scalable Parallel Algorithm for Graph Neural Network Interatomic Potentials in Molecular Dynamics Simulations",
        "Journal of Chemical Theory and Computation", "20", "4857", 2024, "10.1021/acs.jctc.4c00190",
        "SevenNet: energies and latent features of atoms",
    ),
    Reference(
        "deng2023",
        ("Bowen Deng", "Peichen Zhong", "KyuJung Jun", "Janosh Riebesell", "Kevin Han", "Christopher J. Bartel",
         "Gerbrand Ceder"),
        "CHGNet as a pretrained universal neural network potential for charge-informed atomistic modelling",
        "Nature Machine Intelligence", "5", "1031", 2023, "10.1038/s42256-023-00716-3",
        "CHGNet: relaxations, and latent features of atoms where both ends are known",
    ),
    Reference(
        "xie2018", ("Tian Xie", "Jeffrey C. Grossman"),
        "Crystal Graph Convolutional Neural Networks for an Accurate and Interpretable Prediction of Material "
        "Properties",
        "Physical Review Letters", "120", "145301", 2018, "10.1103/PhysRevLett.120.145301",
        "the crystal graph network",
    ),
    Reference(
        "ong2013",
        ("Shyue Ping Ong", "William Davidson Richards", "Anubhav Jain", "Geoffroy Hautier", "Michael Kocher",
         "Shreyas Cholia", "Dan Gunter", "Vincent L. Chevrier", "Kristin A. Persson", "Gerbrand Ceder"),
        "Python Materials Genomics (pymatgen): A robust, open-source python library for materials analysis",
        "Computational Materials Science", "68", "314", 2013, "10.1016/j.commatsci.2012.10.028",
        "pymatgen: voltage steps and profiles, formulas",
    ),
    Reference(
        "ward2016", ("Logan Ward", "Ankit Agrawal", "Alok Choudhary", "Christopher Wolverton"),
        "A general-purpose machine learning framework for predicting properties of inorganic materials",
        "npj Computational Materials", "2", "16028", 2016, "10.1038/npjcompumats.2016.28",
        "composition features of the classical models",
    ),
)  # fmt: skip

ANSWERS = {
    "foundation": ("zhang2022", "jain2013", "park2024", "deng2023"),
    "delta": ("jain2013", "park2024", "deng2023"),
    "auto": ("zhang2022", "jain2013", "park2024", "deng2023"),
    "cgcnn": ("zhang2022", "jain2013", "xie2018"),
    "classical": ("zhang2022", "jain2013", "ward2016"),
    "quick": ("zhang2022", "jain2013", "ward2016", "ong2013"),
    "compute": ("jain2013", "park2024", "deng2023", "ong2013"),
    "explain": ("zhang2022", "jain2013", "park2024", "xie2018"),
    "reproduce": ("zhang2022", "jain2013", "xie2018", "ward2016"),
}
"""Kinds of models and commands, each with the keys of what its answers rest on."""


def cite(
    answer: Annotated[
        str | None,
        typer.Argument(
            help="A model's name, kind or folder, or compute, explain or reproduce; none: everything.",
            metavar="[MODEL|COMMAND]",
        ),
    ] = None,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="BibTeX entries, ready for a file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Say what to cite for an answer: the method, the data and the potentials that it rests on."""
    from ionvolt._version import __version__
    from ionvolt.cli.terminal import folded, json_text
    from ionvolt.errors import InputError

    if bibtex and as_json:
        raise InputError("--json --bibtex", "both output formats were asked for", "Choose one")
    chosen = _of(answer)
    if as_json:
        print(json_text([asdict(reference) for reference in chosen]))
        return
    if bibtex:
        print(_software(__version__))
        for reference in chosen:
            print(reference.bibtex())
        return
    print(f"IonVolt {__version__} (CITATION.cff in the repository), and:")
    for reference in chosen:
        print(folded(f"  {reference}"), folded(f"      {reference.gives}"), sep="\n")
    print(folded("--bibtex prints entries for a bibliography. The Materials Project's data: CC BY 4.0."))


def _of(answer: str | None) -> list[Reference]:
    from ionvolt.errors import InputError, ModelError
    from ionvolt.models.card import read_card
    from ionvolt.models.registry import model_folder
    from ionvolt.models.storage import CARD_FILE

    if answer is None:
        return list(REFERENCES)
    kind = answer
    if kind not in ANSWERS:
        try:
            kind = read_card(model_folder(answer) / CARD_FILE).kind
        except ModelError:
            raise InputError(
                answer, "neither a model nor a command whose sources are known",
                f"Choose a model (`ionvolt models list`) or {', '.join(ANSWERS)}",
            ) from None  # fmt: skip
    return [reference for reference in REFERENCES if reference.key in ANSWERS[kind]]


def _software(version: str) -> str:
    return (
        "@software{ionvolt,\n  author = {{The IonVolt developers}},\n"
        f"  title = {{{{IonVolt: electrode voltages of crystals}}}},\n  version = {{{version}}}\n}}"
    )
