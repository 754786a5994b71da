"""A load on a server, bounded in calls and in time, and what became of it."""

import collections
import concurrent.futures
import dataclasses
import itertools
import time

import numpy as np

from tf_softras.serving.client import PredictError, connect


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What became of the calls.

    Attributes:
        seconds: From the first call to the last answer.
        latencies: float64 `[answered]`, seconds of each call that was answered, sorted.
        errors: Code -> how many calls ended so.
        first_error: The message of one of them, or "".
        batch_size: Items in each call.
    """

    seconds: float
    latencies: np.ndarray
    errors: dict[str, int]
    first_error: str
    batch_size: int

    @property
    def answered(self) -> int:
        """How many calls were answered."""
        return len(self.latencies)

    def latency(self, percent: float) -> float:
        """Returns the latency in seconds that `percent` of the answered calls stayed within.

        NaN if no call was answered.
        """
        if not self.answered:
            return float("nan")
        return float(np.percentile(self.latencies, percent, method="higher"))

    def to_dict(self) -> dict:
        """Returns the figures as JSON has them: milliseconds, None where there is none."""
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
    """Calls a model again and again, and returns what became of it.

    Each of `concurrency` threads has a connection and makes its next call when the last is
    answered. After `calls` calls, or `time_limit` seconds, no call is begun.

    Args:
        url: See `connect`.
        inputs: Of every call: name -> array `[batch, ...]`.
        signature: Its name.
        calls: How many, over all threads.
        concurrency: How many at a time.
        time_limit: Seconds.
        timeout: Seconds that one call may take.
    """
    numbers = itertools.count()
    start = time.perf_counter()

    def work():
        latencies, errors = [], []
        with connect(url, timeout=timeout) as client:
            # The count is one step of the interpreter: threads share it without a lock.
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
