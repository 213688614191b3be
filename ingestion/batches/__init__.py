"""What becomes of the rows of a batch: judged, compared, accounted for and committed as one.

`batch.take` does it all: `rules` and `units` judge, `broken_share` refuses what is broken for the
most part, `novelty` and `uplinks` compare, `completeness` and `receipts` account, `committing`
commits; `reconsidered` is what a replay adds.
"""
