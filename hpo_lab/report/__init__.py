"""The HTML page that a study is read on, and the summary that a terminal shows.

Nothing is imported here: ``hpo_lab`` loads this package before the verb of the same name, which a
first import of it later on would replace.
"""
