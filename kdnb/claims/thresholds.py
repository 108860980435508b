"""The thresholds of the claims. They come from the paper's wording alone and are not moved."""

NEAR_PEAK = (3, 5)  # "around T = 4"
LEAST_TEMPERATURES = 5  # a peak among fewer is an accident of which were run
STRONG_R = 0.9  # "strong" beside the paper's 0.97: room for another data set, none for another order
STRONGLY_NEGATIVE_R = -0.5  # "strongly negative" of T = 10, where the paper gives a plot and no number
ORDERED = 0.8  # rank correlation with T (or alpha) from which on a rise is a rise: one swap in four points is forgiven
RISING = 0.5  # rank correlation with the epoch, over noisy epochs
RAPID = 0.8  # share of mu's fall done half-way through the window ("rapidly"), and as near to the end level ("settles")
SMALL = 0.2  # largest fall of mu, of its level at the warm-up's end, that is "small"
HALVED = 0.5  # T = 10 "behaves like" MSE when it is at most half as far from MSE as T = 1 is
SAME_SHAPE = 0.9  # r of two mu curves that have "the same shape"; two trends reach it easily, so it is only one part
SAME_R = 0.1  # two r are "unchanged" within this
SIMILAR_R = 0.2  # two r are "similar" within this
ACCURACY_MARGIN = 0.005  # half a point: what one seed moves accuracy by
# Of the book's own statements alone:
UNRELATED = 0.1  # cosine of two classifiers below which they may as well be unrelated
NINE_TENTHS = 0.9
