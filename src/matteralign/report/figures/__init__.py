"""Tables in, SVG, PNG and one HTML report out; no latent is ever opened here."""

from __future__ import annotations
