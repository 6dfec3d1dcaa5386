"""How understandable, how alike, how natural and how fast cloned speech is, by listeners that others trained."""

from voxclone.evaluation.lists import Item, read_list
from voxclone.evaluation.report import Report
from voxclone.evaluation.run import evaluate

__all__ = ["Item", "Report", "evaluate", "read_list"]
