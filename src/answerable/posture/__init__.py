"""Findings: rules over inventory and reach, with a severity and a stable id each."""
