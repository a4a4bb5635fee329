"""`python -m training.generator`: `whimbrel train generator`, for `accelerate launch -m`."""

from training.commands.train import train_generator

if __name__ == "__main__":
    train_generator()
