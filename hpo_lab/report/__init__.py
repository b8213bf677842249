"""The HTML page that a study is read on."""
