"""An evaluation as one page to look at: rates, where they go, the best and worst images with their
heat maps, and what the model dreams.
"""

from bbans.evaluation.report.gather import Report, Shown, gather
from bbans.evaluation.report.page import page, save

__all__ = ["Report", "Shown", "gather", "page", "save"]
