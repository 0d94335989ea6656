"""What the master's side of self-serve calls things. Self-serve knows the same names."""

#: What this folder offers, by number: self-serve asks for it (the scheduler's label) and says what is missing. A higher one
#: offers what the lower ones do.
VERSION = 3

#: The scheduler's name.
NAME = "self-serve"

#: The property, and the buildset's external id, by which a piece of a job is found again.
PIECE = "selfserve_job"

#: By which it is said which request is made again.
AGAIN = "selfserve_again"

#: What a buildset is made of, where a job told of some of it: properties by the numbers of these changes, which say the piece
#: that each is, and by the newest one's, which says nothing where that is a push. The properties that a buildset has from
#: changes say nothing of that: they are the newest one's of its source, and all changes of a revision share one source.
MADE_OF = "selfserve_change_"

#: In what a scheduler is told of a change: that it may have been told before.
BROUGHT = "selfserve_brought"

#: The longest JSON of a job's own properties, the files of a change among them. Self-serve refuses what is longer, by the
#: same number.
EXTRA_MAX = 65536
