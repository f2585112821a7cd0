"""Requests and answers, for validation and for the OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag

Name = Annotated[str, Field(max_length=300)]
Ions = Annotated[
    Annotated[str, Field(max_length=200)]
    | Annotated[list[Annotated[str, Field(max_length=20)]], Field(min_length=1, max_length=20)],
    Field(description="Working ions: a list of symbols, or `all`.", examples=["all", ["Mg", "Ca"]]),
]
ASSUMPTIONS = ("auto", "emptied", "charged", "discharged")
Assume = Annotated[
    Literal["auto", "emptied", "charged", "discharged"],
    Field(
        description="What a structure is taken to be. `auto`: discharged where it holds the working ion, else a host, "
        "emptied of other mobile ions as far as its metals can give electrons; `emptied`: the same host, also where "
        "nothing tells how far; `charged`: the host as it is; `discharged`: refused without the ion."
    ),
]
Formula = Annotated[str | None, Field(max_length=100)]
Model = Annotated[str | None, Field(max_length=100, description="A model of `/api/v1/models`; the default otherwise.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ByText(_Strict):
    """A structure as the text of a CIF or POSCAR."""

    name: Name = "structure"
    text: str = Field(description="CIF or POSCAR.")


class ById(_Strict):
    """A structure of the Materials Project."""

    mp_id: Annotated[str, Field(max_length=40, examples=["mp-25210"])]


class ByExample(_Strict):
    """A bundled example."""

    example: Annotated[str, Field(max_length=100, examples=["TiS2"])]


def _kind(value: Any) -> str:
    for key in ("example", "mp_id"):
        if (key in value) if isinstance(value, dict) else hasattr(value, key):
            return key
    return "text"


StructureInput = Annotated[
    Annotated[ByText, Tag("text")] | Annotated[ById, Tag("mp_id")] | Annotated[ByExample, Tag("example")],
    Discriminator(_kind),
]


class _Reading(_Strict):
    """How a structure is read, and which model answers."""

    assume: Assume = "auto"
    model: Model = None
    charged: Annotated[
        StructureInput | None,
        Field(description="The charged structure, where the only structure is the discharged one."),
    ] = None
    discharged_formula: Annotated[
        Formula, Field(description="Of the discharged electrode, where the structure is the charged host.")
    ] = None
    charged_formula: Annotated[
        Formula,
        Field(
            description="Of the charged electrode, or the fraction of the ions that comes out, where the structure is "
            "the discharged one and a part of the ions stays."
        ),
    ] = None
    exchange: Annotated[
        bool,
        Field(description="Put the working ion in the place of the mobile ion that the structure holds, and relax it."),
    ] = False
    relax: Annotated[bool, Field(description="Relax the structure with a universal potential first.")] = False


class PredictRequest(_Reading):
    """Structures whose voltages are wanted."""

    structures: Annotated[list[StructureInput], Field(min_length=1, max_length=200)]
    ions: Ions
    check_relaxation: Annotated[
        bool | None,
        Field(
            description="Whether a universal potential is asked if the structure is relaxed; one that is not is out of "
            "the domain. By default with models on that potential, and not with those that answer in milliseconds."
        ),
    ] = None


class ExplainRequest(_Reading):
    """A structure whose local voltages are wanted."""

    structure: StructureInput
    ions: Ions


Attended = Annotated[
    bool, Field(description="Give the job up when nobody has read its events or its state for half a minute.")
]


class PredictJob(PredictRequest):
    """Structures whose voltages are wanted, however long it takes."""

    kind: Literal["predict"] = "predict"
    first: Annotated[str | None, Field(max_length=20, description="The ion to be answered first.", examples=["Mg"])] = (
        None
    )
    attended: Attended = False


class ComputeJob(_Strict):
    """An electrode whose voltage is to be computed from the energies of its end members."""

    kind: Literal["compute"]
    structure: StructureInput
    ion: Annotated[str, Field(max_length=20, examples=["Mg"])]
    charged: Annotated[
        StructureInput | None, Field(description="The charged structure, where both end members are known.")
    ] = None
    relax: Annotated[bool | None, Field(description="Whether both are relaxed; by default unless both are given.")] = (
        None
    )
    insert: Annotated[int | None, Field(ge=1, le=100, description="Ions that go into a cell of a charged host.")] = None
    profile: Annotated[bool, Field(description="Whether the voltage against filling is computed, too.")] = False
    attended: Attended = False


class OrderJob(_Strict):
    """A disordered crystal that is to be ordered, and ions whose voltages over its orderings are wanted."""

    kind: Literal["order"]
    structure: ByText
    ions: Ions | None = None
    assume: Assume = "auto"
    model: Model = None
    max_atoms: Annotated[int, Field(ge=1, le=128, description="Atoms that a supercell may hold.")] = 64
    attended: Attended = False


Volts = Annotated[float, Field(ge=-20, le=20)]


class DesignJob(_Strict):
    """An electrode from which better ones are to be made by substitution; nothing is relaxed."""

    kind: Literal["design"]
    structure: StructureInput
    ion: Annotated[str, Field(max_length=20, examples=["Mg"])]
    voltage: Annotated[
        tuple[Volts, Volts] | None, Field(description="Lowest and highest voltage that is wanted, V.")
    ] = None
    elements: Annotated[
        list[Annotated[str, Field(max_length=2)]],
        Field(max_length=40, description="Elements that may come in; by default the usual ones of cathodes."),
    ] = []
    exclude: Annotated[
        list[Annotated[str, Field(max_length=2)]], Field(max_length=40, description="Elements that may not.")
    ] = []
    candidates: Annotated[int, Field(ge=1, le=96, description="Candidates that are predicted.")] = 48
    attended: Attended = False


def _job_kind(value: Any) -> str:
    kind = value.get("kind", "predict") if isinstance(value, dict) else getattr(value, "kind", "predict")
    return kind if isinstance(kind, str) else "predict"


class JobRequest(
    RootModel[
        Annotated[
            Annotated[PredictJob, Tag("predict")]
            | Annotated[ComputeJob, Tag("compute")]
            | Annotated[OrderJob, Tag("order")]
            | Annotated[DesignJob, Tag("design")],
            Discriminator(_job_kind),
        ]
    ]
):
    """What takes longer than a request."""


class StructuresRequest(_Strict):
    """A structure that is wanted in other formats."""

    structure: StructureInput
    ion: Annotated[str | None, Field(max_length=20, description="Give it without this ion, too.")] = None
    assume: Assume = "auto"


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="The whole sentence, as the command line prints it.")
    source: str = Field(description="What was refused.")
    rule: str = Field(description="What is wrong with it.")
    remedy: str = Field(description="What to do about it.")


class PredictionOut(BaseModel):
    """The voltage that a model expects of an electrode; V, mAh/g, mAh/cm³, Wh/kg and Wh/L."""

    model_config = ConfigDict(extra="allow")

    source: str
    formula: str
    working_ion: str
    voltage: float
    voltage_std: float | None
    model: str
    end_members: Literal["charged", "discharged", "both"] = Field(description="What the answer rests on.")
    capacity_grav: float | None
    energy_grav: float | None
    warnings: list[str]
    voltage_lower: float | None = Field(description="Lower end of the 90 % interval, V.")
    voltage_upper: float | None
    epistemic_std: float | None = Field(description="Spread of the model's members, V.")
    in_domain: bool | None = Field(description="Whether the electrode is like those that the model was trained on.")
    voltage_potential: float | None = Field(description="From the universal potential's energies alone, V.")
    host_formula: str = Field(description="The host into which the ion goes.")
    removed: dict[str, float] = Field(description="Ions of other elements that were removed from the host first.")
    capacity_vol: float | None
    energy_vol: float | None
    capacity_is_estimate: bool = Field(description="Whether it is that of as many ions as voids and electrons allow.")
    full_extraction: float | None = Field(description="Probability that all ions come out.")
    voltage_measured: float | None = Field(description="What a cell is expected to show, V; `voltage` is calculated.")
    voltage_measured_lower: float | None = Field(description="Lower end of its 90 % interval, V.")
    voltage_measured_upper: float | None
    measured_basis: str = Field(
        description="`corrected` by measured electrodes, or `calculated` and why none is near; empty without one."
    )


class RefusedIon(BaseModel):
    """An ion without an answer."""

    working_ion: str
    problem: ProblemDetails


class Predicted(BaseModel):
    """The predictions of one structure, one for each ion."""

    index: int
    name: str
    formula: str | None = None
    n_atoms: int | None = None
    holds: list[str] = Field(default=[], description="Working ions that the structure holds.")
    predictions: list[PredictionOut]
    refused: list[RefusedIon] = Field(description="Ions without an answer; they take no other along.")


class Refused(BaseModel):
    """A structure without any answer."""

    index: int
    name: str
    problem: ProblemDetails


class PredictResponse(BaseModel):
    """One entry for each structure, in order."""

    results: list[Predicted | Refused]


class StructureOut(BaseModel):
    """A structure as files."""

    role: Literal["given", "charged", "discharged", "ordering", "design"]
    formula: str
    n_atoms: int
    cif: str
    poscar: str
    extxyz: str
    pymatgen: str = Field(description="JSON of pymatgen's Structure.")
    oxidation: dict[str, float] | None = Field(
        description="Mean oxidation state of each element, guessed from the formula."
    )


class JobOutcome(BaseModel):
    """What has come out of a job so far."""

    results: list[Predicted | Refused] = Field(
        default=[], description="`predict`: one entry for each structure, in order."
    )
    result: dict[str, Any] | None = Field(
        default=None, description="`compute`, `order`, `design`: what the command of that name says with `--json`."
    )
    structures: list[StructureOut] = Field(
        default=[], description="`compute`, `order`, `design`: the structures as files."
    )


class JobOut(BaseModel):
    """Work that takes longer than a request."""

    id: str
    kind: Literal["predict", "compute", "order", "design"]
    status: Literal["running", "done", "cancelled", "failed"]
    done: int = Field(description="Structures times ions that are answered or refused.")
    total: int
    seconds: float = Field(description="Since it was asked for, or, at its end, how long it took.")
    seconds_left: float | None = Field(description="An estimate.")
    outcome: JobOutcome
    problem: ProblemDetails | None = Field(description="Why it failed.")


class SiteOut(BaseModel):
    """An atom and what it adds to the voltage; Å and V."""

    model_config = ConfigDict(extra="allow")

    index: int
    element: str
    frac_coords: list[float]
    cart_coords: list[float]
    contribution: float = Field(description="With those of all atoms and the remainder this makes the voltage.")
    contribution_std: float
    local_voltage: float = Field(
        description="Contribution times number of atoms, plus remainder; its mean is the voltage."
    )
    local_voltage_std: float
    coordination: float
    neighbours: str


class ExplanationOut(BaseModel):
    """A prediction, atom by atom, by the model that answers."""

    model_config = ConfigDict(extra="allow")

    prediction: PredictionOut
    lattice: list[list[float]]
    sites: list[SiteOut]
    elements: dict[str, dict[str, float]]
    remainder: float = Field(description="V that belong to no atom.")
    remainder_share: float
    remainder_is: str
    pooling: Literal["sum", "mean"]
    mean_local_voltage: float
    notes: list[str]


class ExplainResponse(BaseModel):
    """Explanations for each ion, and the host of the first as a CIF with its local voltages."""

    explanations: list[ExplanationOut]
    cif: str


class StructuresResponse(BaseModel):
    """A structure in common formats."""

    structures: list[StructureOut]


class ModelOut(BaseModel):
    """A model that the server answers with."""

    name: str
    description: str
    ions: list[str]
    local_ions: list[str] = Field(description="Ions for which it has local voltages.")
    n_members: int
    default: bool
    errors: dict[str, dict[str, dict[str, float]]] = Field(
        description="For each ion and protocol, the errors on held-out electrodes that the model's card states, V."
    )


class ModelsResponse(BaseModel):
    """Models that the server answers with."""

    models: list[ModelOut]
    materials_project: bool = Field(description="Whether the server has a key: `mp_id` and `/materials` can be asked.")


class MaterialOut(BaseModel):
    """A material of the Materials Project."""

    id: str
    formula: str
    space_group: str
    n_atoms: int | None
    above_hull: float | None = Field(description="Energy above the hull, eV/atom.")


class MaterialsResponse(BaseModel):
    """Materials of a formula, the most stable first."""

    materials: list[MaterialOut]


class ExampleOut(BaseModel):
    """A bundled crystal."""

    id: str
    formula: str
    title: str
    ions: list[str]


class ExamplesResponse(BaseModel):
    """Bundled crystals."""

    examples: list[ExampleOut]


class IonOut(BaseModel):
    """A working ion."""

    symbol: str
    charge: int


class KnownElectrode(BaseModel):
    """A computed electrode; V and mAh/g of the discharged electrode."""

    formula: str
    id: str
    voltage: float
    capacity: float


class MeasuredCathode(BaseModel):
    """A cathode whose voltage was measured; the capacity is that of the range that was measured."""

    formula: str
    phase: str
    voltage: float
    uncertainty: float
    capacity: float | None
    doi: str


class Landscape(BaseModel):
    """Known electrodes of an ion."""

    ion: str
    table: bool = Field(description="Whether the server has a table of computed ones (`serve --landscape`).")
    attribution: str = Field(description="Where the computed ones come from.")
    electrodes: list[KnownElectrode] = Field(description="Computed ones; none where the server has no table.")
    measured: list[MeasuredCathode]


class Health(BaseModel):
    """State of the server."""

    status: Literal["ok", "starting"]
    workers: int = Field(description="Workers that run.")
