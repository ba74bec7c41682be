"""Train an ``SRNN`` with Lightning and export it to chip integers.

    pip install lightning
    python docs/examples/lightning_loop.py [EPOCHS] [FOLDER]

The data are made here: the class of a sequence is the channel that spikes most.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightning
import torch
from srnn.export import ExportReport, LayerConfig, ModelConfig
from srnn.train import SRNN, log_scores
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

CONFIG = ModelConfig(
    input_size=4,
    layers=(LayerConfig("alif", 32, recurrent=True, threshold=0.1), LayerConfig("li", 4)),
    readout="mean_softmax",
)


class Classifier(lightning.LightningModule):
    """One class a sequence."""

    def __init__(self, config: ModelConfig = CONFIG, learning_rate: float = 0.02) -> None:
        super().__init__()
        self.network = SRNN(config)
        self.learning_rate = learning_rate

    def forward(self, inputs: Tensor) -> Tensor:
        """Return log-probabilities (batch, class) of inputs (batch, time, channel)."""
        outputs = self.network(inputs, spikes=False)
        return log_scores(self.network.config.readout, outputs.output)

    def training_step(self, batch: Any, _: int) -> Tensor:
        """Return the loss of a batch."""
        inputs, targets = batch
        loss = functional.nll_loss(self(inputs), targets)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        """Log the accuracy on a batch."""
        inputs, targets = batch
        self.log("accuracy", (self(inputs).argmax(1) == targets).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer of all weights and time constants."""
        return torch.optim.Adam(self.parameters(), self.learning_rate)


def loader(count: int, seed: int) -> DataLoader[Any]:
    """Return batches of spikes uint8 (16, 50, 4) and classes (16,)."""
    torch.manual_seed(seed)
    targets = torch.randint(4, (count,))
    rates = torch.where(torch.arange(4) == targets[:, None], 0.4, 0.2)[:, None]
    inputs = (torch.rand(count, 50, 4) < rates).to(torch.uint8)
    return DataLoader(TensorDataset(inputs, targets), batch_size=16)


def main(epochs: int, folder: Path) -> ExportReport:
    """Train, keep the best epoch, and export it."""
    lightning.seed_everything(0)
    best = lightning.pytorch.callbacks.ModelCheckpoint(folder, monitor="accuracy", mode="max")
    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, callbacks=[best], log_every_n_steps=1
    )
    validation = loader(64, seed=1)
    trainer.fit(Classifier(), loader(256, seed=0), validation)
    trained = Classifier.load_from_checkpoint(best.best_model_path)
    return trained.network.export(folder / "model.net", validation.dataset[:])


if __name__ == "__main__":
    epochs, folder = (*sys.argv[1:], *("10", "runs/lightning")[len(sys.argv) - 1 :])
    print(main(int(epochs), Path(folder)))
