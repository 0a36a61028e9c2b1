"""The roof: the auscult command, the demo and the reports."""
