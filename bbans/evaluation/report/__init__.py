"""Reports: an evaluation as one HTML page with rates, their split into terms, the best and worst
images with heat maps, and samples of the model.
"""

from bbans.evaluation.report.gather import Report, Shown, gather
from bbans.evaluation.report.page import page, save

__all__ = ["Report", "Shown", "gather", "page", "save"]
