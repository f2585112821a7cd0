"""Requests and answers, for validation and for the OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Name = Annotated[str, Field(max_length=300)]
Ions = Annotated[
    Annotated[str, Field(max_length=200)]
    | Annotated[list[Annotated[str, Field(max_length=20)]], Field(min_length=1, max_length=20)],
    Field(description="Working ions: a list of symbols, or `all`.", examples=["all", ["Mg", "Ca"]]),
]
Assume = Annotated[
    Literal["auto", "charged", "discharged"],
    Field(description="What a structure is taken to be; `auto` decides by whether it holds the working ion."),
]
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


class PredictRequest(_Strict):
    """Structures whose voltages are wanted."""

    structures: Annotated[list[StructureInput], Field(min_length=1, max_length=200)]
    ions: Ions
    assume: Assume = "auto"
    model: Model = None


class ExplainRequest(_Strict):
    """A structure whose local voltages are wanted."""

    structure: StructureInput
    ions: Ions
    assume: Assume = "auto"
    model: Model = None


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
    """The voltage that a model expects of an electrode; V, mAh/g and Wh/kg."""

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


class Predicted(BaseModel):
    """The predictions of one structure, one for each ion."""

    index: int
    name: str
    predictions: list[PredictionOut]


class Refused(BaseModel):
    """A structure that was refused."""

    index: int
    name: str
    problem: ProblemDetails


class PredictResponse(BaseModel):
    """One entry for each structure, in order."""

    results: list[Predicted | Refused]


class SiteOut(BaseModel):
    """An atom of the host and what it adds; Å and V."""

    model_config = ConfigDict(extra="allow")

    index: int
    element: str
    frac_coords: list[float]
    cart_coords: list[float]
    local_voltage: float
    local_voltage_std: float
    coordination: float
    neighbours: str


class ExplanationOut(BaseModel):
    """A prediction, atom by atom."""

    model_config = ConfigDict(extra="allow")

    prediction: PredictionOut
    lattice: list[list[float]]
    sites: list[SiteOut]
    elements: dict[str, dict[str, float]]
    mean_local_voltage: float


class ExplainResponse(BaseModel):
    """Explanations for each ion, and the host of the first as a CIF with its local voltages."""

    explanations: list[ExplanationOut]
    cif: str


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


class Health(BaseModel):
    """State of the server."""

    status: Literal["ok", "starting"]
    workers: int = Field(description="Workers that run.")
