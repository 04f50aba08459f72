"""The exercises of notebook 00: how exercises work."""

from alexnet_lab.exercises.checking import Exercise, Wrong

ROWS = COLUMNS = 28
BATCH, CHANNELS = 128, 1

EXERCISES = (
    Exercise(
        number="00.1",
        form="an integer",
        answer=lambda: ROWS * COLUMNS,
        right="28 rows of 28 pixels, and a grey pixel is one number.",
        hint="Think of the image as a table of numbers: how many cells has it?",
        more_hints=("One row has 28 pixels. How many do 28 rows have?",),
        wrong=(
            Wrong(
                lambda: ROWS + COLUMNS,
                "You added the sides. How many pixels are in one row, and how many "
                "rows are there?",
            ),
            Wrong(
                lambda: ROWS * COLUMNS * 3,
                "That counts red, green and blue. How many numbers does a grey pixel "
                "need?",
            ),
            Wrong(
                lambda: (ROWS, COLUMNS),
                "That is the shape. How many pixels does a picture of this shape have?",
            ),
        ),
    ),
    Exercise(
        number="00.2",
        form="a tuple (batch, channels, height, width)",
        answer=lambda: (BATCH, CHANNELS, ROWS, COLUMNS),
        right="PyTorch's order is batch, channels, height, width, and a grey image "
        "keeps its one channel.",
        hint="PyTorch's order is batch, channels, height, width. Which number belongs "
        "to each?",
        more_hints=(
            "Print torch.zeros(5, 3, 64, 64).shape once more: five pictures in "
            "colour. What changes for 128 pictures, for grey, for 28×28?",
        ),
        wrong=(
            Wrong(
                lambda: (BATCH, ROWS, COLUMNS, CHANNELS),
                "You put the channels last, as image files and TensorFlow do. Where "
                "does PyTorch want them?",
            ),
            Wrong(
                lambda: (BATCH, ROWS, COLUMNS),
                "The channel dimension is missing. A convolution wants it even when "
                "there is a single channel.",
            ),
            Wrong(
                lambda: (CHANNELS, ROWS, COLUMNS, BATCH),
                "Your last dimension counts the images. Which dimension does PyTorch "
                "use for that?",
            ),
            Wrong(
                lambda: (BATCH, 3, ROWS, COLUMNS),
                "These are colour pictures. How many channels has a grey one?",
            ),
        ),
    ),
)
