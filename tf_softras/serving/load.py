"""A load test of a server: many calls, limited in number and in time."""

import collections
import concurrent.futures
import dataclasses
import itertools
import time

import numpy as np

from tf_softras.serving.client import PredictError, connect


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """Latencies and errors of a load test.

    Attributes:
        seconds: Time from the first call to the last answer.
        latencies: float64 `[answered]`, seconds of each answered call, sorted.
        errors: Error code -> number of calls.
        first_error: The message of one error, or "".
        batch_size: Items in each call.
    """

    seconds: float
    latencies: np.ndarray
    errors: dict[str, int]
    first_error: str
    batch_size: int

    @property
    def answered(self) -> int:
        """The number of answered calls."""
        return len(self.latencies)

    def latency(self, percent: float) -> float:
        """Returns a percentile of the latencies in seconds; NaN if no call was answered."""
        if not self.answered:
            return float("nan")
        return float(np.percentile(self.latencies, percent, method="higher"))

    def to_dict(self) -> dict:
        """Returns the figures for JSON, with latencies in milliseconds or None."""
        milliseconds = {
            f"p{percent}": 1e3 * self.latency(percent) if self.answered else None
            for percent in (50, 90, 99, 100)
        }
        return {
            "answered": self.answered,
            "errors": self.errors,
            "first_error": self.first_error,
            "seconds": self.seconds,
            "calls_per_second": self.answered / self.seconds,
            "items_per_second": self.answered * self.batch_size / self.seconds,
            "latency_milliseconds": milliseconds,
        }


def run_load(
    url: str,
    inputs: dict,
    *,
    signature: str = "serving_default",
    calls: int,
    concurrency: int,
    time_limit: float,
    timeout: float = 10.0,
) -> LoadReport:
    """Calls a model many times and returns latencies and errors.

    Each thread has its own connection and makes its next call when the last one is answered. No
    call starts after `calls` calls or `time_limit` seconds.

    Args:
        url: See `connect`.
        inputs: Name -> array `[batch, ...]`, the same in every call.
        signature: The signature's name.
        calls: The number of calls over all threads.
        concurrency: The number of threads.
        time_limit: Time limit of the test, seconds.
        timeout: Time limit of a call, seconds.
    """
    numbers = itertools.count()
    start = time.perf_counter()

    def work():
        latencies, errors = [], []
        with connect(url, timeout=timeout) as client:
            # next() on a count is atomic in CPython, so threads share it without a lock.
            while next(numbers) < calls and time.perf_counter() - start < time_limit:
                began = time.perf_counter()
                try:
                    client.predict(inputs, signature)
                    latencies.append(time.perf_counter() - began)
                except PredictError as error:
                    errors.append(error)
        return latencies, errors

    with concurrent.futures.ThreadPoolExecutor(concurrency) as executor:
        done = [future.result() for future in [executor.submit(work) for _ in range(concurrency)]]
    errors = [error for _, some in done for error in some]
    return LoadReport(
        seconds=time.perf_counter() - start,
        latencies=np.sort(np.array([latency for some, _ in done for latency in some])),
        errors=dict(collections.Counter(error.code for error in errors)),
        first_error=str(errors[0]) if errors else "",
        batch_size=len(next(iter(inputs.values()))),
    )
