"""What lies in the folders of corpora: audio, annotations, tables."""
