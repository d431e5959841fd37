"""The codec for numpy's random generators, whose own pickles differ by version.

bit generator   its class's name | SeedSequence | state, a dict that numpy documents
Generator       bit generator
RandomState     state of the Mersenne twister, or nothing for the one behind numpy.random.rand:
                that is each process's own, and seeded there
"""

from typing import Any, Callable, Dict, Optional

from sqlexec.runner.types import Reduced


def random_reducer(kind: type) -> Optional[Callable[[Any, Any], Reduced]]:
    """The reducer for objects of exactly this type, None for those that pickle knows best."""
    import numpy

    library = numpy.random  # type: Any
    if kind is library.RandomState:
        return _reduce_random_state
    if not hasattr(library, "Generator"):  # before numpy 1.17
        return None
    if kind is library.Generator:
        return _reduce_generator
    if kind is library.SeedSequence:
        return _reduce_seeds
    return _reduce_bits if issubclass(kind, library.BitGenerator) else None


def random_rebuilders() -> Dict[str, Callable[..., Any]]:
    """The rebuilders by name."""
    return {
        "np.bits": _rebuild_bits,
        "np.generator": _rebuild_generator,
        "np.seeds": _rebuild_seeds,
        "np.random_state": _rebuild_random_state,
        "np.global_random": _rebuild_global_random,
    }


def _reduce_bits(writer: Any, bits: Any) -> Any:
    return writer.call("np.bits", type(bits).__name__, bits._seed_seq, bits.state)


def _rebuild_bits(reader: Any, name: str, seeds: Any, state: Any) -> Any:
    import numpy

    found = getattr(numpy.random, name)(seeds)
    found.state = state
    return found


def _reduce_generator(writer: Any, generator: Any) -> Any:
    return writer.call("np.generator", generator.bit_generator)


def _rebuild_generator(reader: Any, bits: Any) -> Any:
    import numpy

    return numpy.random.Generator(bits)


def _reduce_seeds(writer: Any, seeds: Any) -> Any:
    arguments = (seeds.entropy, seeds.spawn_key, seeds.pool_size, seeds.n_children_spawned)
    return writer.call("np.seeds", *arguments)


def _rebuild_seeds(reader: Any, entropy: Any, spawn_key: Any, pool_size: int, spawned: int) -> Any:
    import numpy

    return numpy.random.SeedSequence(
        entropy, spawn_key=spawn_key, pool_size=pool_size, n_children_spawned=spawned
    )


def _reduce_random_state(writer: Any, random: Any) -> Any:
    import numpy

    library = numpy.random  # type: Any
    if random is library.mtrand._rand:
        return writer.call("np.global_random")
    state = random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return random.__reduce_ex__(4)
    return writer.call("np.random_state", random.get_state())


def _rebuild_random_state(reader: Any, state: Any) -> Any:
    import numpy

    found = numpy.random.RandomState(0)
    found.set_state(state)
    return found


def _rebuild_global_random(reader: Any) -> Any:
    import numpy

    library = numpy.random  # type: Any
    return library.mtrand._rand
