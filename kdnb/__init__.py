"""kdnb: an executable study of why reusing the teacher's classifier works in knowledge distillation."""

__version__ = "0.1.0"
