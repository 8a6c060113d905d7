"""OMat24, sAlex and OMol25: databases of ASE in LMDB files."""
