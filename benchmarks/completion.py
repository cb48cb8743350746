"""Matrix completion: ours against cmfrec, myFM, Surprise, Cornac, scikit-learn's imputers.

Ours are good enough by their errors, which are told beside the times: of ratings that were held
out, of all entries of a matrix of low rank, of the pixels that were hidden.
"""

from . import _completion_ratings, _completion_recovery, _completion_scale

PEERS = ("cmfrec", "myfm", "scikit-surprise", "cornac")

SECTIONS = {
    **_completion_ratings.SECTIONS,
    **_completion_scale.SECTIONS,
    **_completion_recovery.SECTIONS,
}
