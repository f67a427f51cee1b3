import numpy as np

from edge_codec.runtime.concealment import HELD_FRAMES, HoldConcealment


def test_lost_frames_take_the_codes_of_the_last_that_came():
    hold = HoldConcealment(2, lost_code=9)
    codes = np.array([[1, 2], [3, 4], [5, 6], [7, 8]])
    filled = hold.fill(codes, np.array([True, False, True, True]))
    assert filled.tolist() == [[9, 9], [3, 4], [3, 4], [3, 4]]
    assert hold.fill(codes[:1], np.array([True])).tolist() == [[3, 4]]
    assert hold.fill(codes[:0], np.zeros(0, bool)).shape == (0, 2)


def test_a_gap_fades_out_and_in_without_a_step():
    hold, lost = HoldConcealment(1, lost_code=9), np.zeros(20, bool)
    lost[5:15] = True
    faded = hold.fade(np.ones(20 * 100, np.float32), lost)
    frames = faded.reshape(20, 100)
    assert (frames[:5] == 1).all()
    assert (frames[5 + HELD_FRAMES + 1 : 15] == 0).all()
    assert (frames[16:] == 1).all()
    assert np.abs(np.diff(faded)).max() < 0.02
