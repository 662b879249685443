"""What an event costs in instructions and requests for memory, neither of which depends on how busy the machine is: bounds
that `make test` holds. They are the builds' of the tests, whose planted bugs cost nothing where none is planted."""

import unittest

import micro

# An event cost 8,060 when this was written, finding its line included; in the agent itself, which is optimized over all crates,
# 7,140. Processors without AVX2 need more for a search in memory.
INSTRUCTIONS_PER_EVENT_MAX = 8_800
# It was 0.31: caches that are full throw out what is oldest, and grow no more.
ALLOCATIONS_PER_1000_EVENTS_MAX = 0.5


class Cost(unittest.TestCase):
    def test_the_instructions_of_an_event_stay_below_their_bound(self):
        cost = micro.instructions_per_line("event")
        print(f"an event costs {cost:,.0f} instructions, at most {INSTRUCTIONS_PER_EVENT_MAX:,}")
        self.assertLess(cost, INSTRUCTIONS_PER_EVENT_MAX)

    def test_an_event_asks_for_no_memory(self):
        asked = micro.allocations_per_1000()
        print(f"1,000 events ask for memory {asked:,.3f} times, at most {ALLOCATIONS_PER_1000_EVENTS_MAX}")
        self.assertLessEqual(asked, ALLOCATIONS_PER_1000_EVENTS_MAX)


if __name__ == "__main__":
    unittest.main()
