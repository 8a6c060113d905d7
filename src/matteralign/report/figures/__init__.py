"""Figures from tables, as SVG and PNG; no latent is opened here."""

from __future__ import annotations
