"""From crystals and working ions to voltages."""

from ionvolt.prediction.capacity import theoretical_capacity
from ionvolt.prediction.checked import predict_checked, predict_each
from ionvolt.prediction.label_check import LabelCheck, check_labels
from ionvolt.prediction.loading import as_model, by_name
from ionvolt.prediction.many import Options, Question, answerer, as_question, predict_many
from ionvolt.prediction.one import predict
from ionvolt.prediction.partly_filled import filled_host, predict_partly_filled
from ionvolt.prediction.record import Prediction
from ionvolt.prediction.unrelaxed import States, relaxation_doubts, strains, widened, widened_measured
from ionvolt.reading import Assume

__all__ = [
    "Assume",
    "LabelCheck",
    "Options",
    "Prediction",
    "Question",
    "States",
    "answerer",
    "as_model",
    "as_question",
    "by_name",
    "check_labels",
    "filled_host",
    "predict",
    "predict_checked",
    "predict_each",
    "predict_many",
    "predict_partly_filled",
    "relaxation_doubts",
    "strains",
    "theoretical_capacity",
    "widened",
    "widened_measured",
]
