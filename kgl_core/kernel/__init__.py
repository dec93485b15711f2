"""What every subject needs: errors, field rules, text, ids, times, pages, permissions, units of work.

Nothing here knows a subject, but for `units_of_work`, which names the repositories of all.
"""
