"""Reports: a document of sections, tables and figures, and its renderings as JSON, CSV and HTML.

``document.py`` says what a report is; docs/REPORT.md has its schema.
"""
