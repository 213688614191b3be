"""What formats share: from text, JSON and tables to offered rows.

`offered` says what a format hands over. Rows of named cells go through `columns`, single values
with their time through `values`; `lines`, `documents`, `elements`, `instances`, `cells` and
`bulk` find them in files, `paths` within a document, and `clocks` settles every time in UTC.
"""
