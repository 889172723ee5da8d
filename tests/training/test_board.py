"""What TensorBoard gets of a run: its flags, its numbers, and the maps of the same images after every epoch."""

import os
import threading

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from calm import config
from calm.attribution import build_attribution
from calm.attribution.score_map import resize
from calm.errors import UserError
from calm.explanation.map_strip import FRAME, WRONG, map_strip
from calm.pictures.overlay import overlay, to_rgb
from calm.training.run import Run
from tests.tiny_networks import tiny_batch, tiny_network


def test_flags_numbers_and_pictures(tmp_path):
    args = config.parse(["--optimizer=adamw", "--experiment_name=x", "--seed=3"], "main")
    run = Run(tmp_path)
    run.describe(args)
    run.record(epoch=1, step=4, val_accuracy=75.0, train_loss=0.5)
    run.picture("maps", 4, lambda: np.zeros((6, 9, 3), np.uint8))
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    assert [(event.step, event.value) for event in events.Scalars("val_accuracy")] == [(4, 75.0)]
    assert [(event.step, event.width, event.height) for event in events.Images("maps")] == [(4, 9, 6)]
    content = events.PluginTagToContent("hparams")
    started = HParamsPluginData.FromString(content["_hparams_/session_start_info"]).session_start_info.hparams
    assert started["optimizer"].string_value == "adamw" and started["lr"].number_value == 1e-4
    assert started["seed"].number_value == 3 and not {"experiment_name", "workers"} & set(started)


def test_a_full_disk_is_one_sentence_also_of_the_thread_that_writes_events(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    others = []
    monkeypatch.setattr(threading, "excepthook", others.append)
    with monkeypatch.context() as patch:
        patch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
        with pytest.raises(UserError, match=rf"{tmp_path} cannot be written \(No space left on device\)"):
            Run(tmp_path).record(epoch=1, step=4, loss=0.5)
    assert not others  # no traceback beside the sentence
    (tmp_path / "log.txt").symlink_to("/dev/full")
    with pytest.raises(UserError, match=rf"{tmp_path} cannot be written \(No space left on device\)"):
        Run(tmp_path).log("a line")
    broken = threading.Thread(target=full)
    broken.start()
    broken.join()
    assert [type(ended.exc_value) for ended in others] == [OSError]


def test_a_strip_has_one_scale_and_frames_wrong_predictions():
    network, (images, _) = tiny_network("CALM_ML"), tiny_batch(4)
    with torch.no_grad():
        targets = network(images).log_p_y.argmax(1)
    targets[2] = (targets[2] + 1) % 5
    strip = map_strip(network, images, targets)
    assert strip.shape == (24, 48, 3) and strip.dtype == np.uint8
    framed = [(strip[:FRAME, 12 * n : 12 * n + 12] == WRONG).all() for n in range(4)]
    assert framed == [False, False, True, False]
    joint = resize(build_attribution("joint")(network, images, targets), 12).detach().numpy()
    for n, image in enumerate(images):
        expected = overlay(to_rgb(image, network.mean, network.std), joint[n] / joint.max())
        assert (strip[12:, 12 * n : 12 * n + 12] == expected).all()
