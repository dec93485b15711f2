"""What every subject stands on: errors, field rules, text, ids, times, pages, permissions, units of work.

Nothing here knows a noun of the graph, an account, or how a store works.
"""
