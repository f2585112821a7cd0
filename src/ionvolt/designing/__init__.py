"""From known electrodes to better ones: substitutions, their voltages, and what to compute or make next."""

from ionvolt.designing.records import Design, DesignResult, Substitution
from ionvolt.designing.run import design, design_job
from ionvolt.designing.settings import DesignSettings

__all__ = ["Design", "DesignResult", "DesignSettings", "Substitution", "design", "design_job"]
