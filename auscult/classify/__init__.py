"""`auscult classify`: a bundle's model on recordings, folders and the microphone."""
