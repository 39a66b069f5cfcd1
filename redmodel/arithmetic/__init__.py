"""Arithmetic that models, procedures and the engine share: places on the earth, lists of numbers. Imports nothing."""
