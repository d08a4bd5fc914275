"""What Brigade remembers: one SQLite file with the catalogue, runs, the ledger of calls, commands and reports.

`Store.open(path)` is the way in; nothing else of this package is meant to be used from outside.
"""

from core.store.leases import Lease
from core.store.progress import ItemDone
from core.store.review_rows import text_hash
from core.store.store import Store

__all__ = ["ItemDone", "Lease", "Store", "text_hash"]
