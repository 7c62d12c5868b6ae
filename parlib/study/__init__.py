"""Study: predict before you look, check yourself, and come back in a few days.

    prediction, asking            a commitment, and how a notebook asks for it
    aids, practice, recorder      quizzes and cards: their files, their page, and what listens to it
    report                        where do I stand, and what does a word mean
    showing                       how things reach the page and survive in the saved file

What is kept between visits lies in `parlib.state`.
"""

from ..state import here
from .practice import Deck, Quiz, cards, quiz
from .prediction import Prediction, commit, forget, predict
from .report import glossary, progress

__all__ = ["Deck", "Prediction", "Quiz", "cards", "commit", "glossary", "predict", "progress", "quiz", "reset"]


def reset() -> None:
    """Forget everything this learner has predicted, answered and reviewed, on disk and in this kernel."""
    here().reset()
    forget()
