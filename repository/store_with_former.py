"""Two stores as one while documents move from the former to the present one."""

from collections.abc import Iterator

from repository.blob_store import BlobReader, BlobStore, DamagedBlob, IncomingBlob, KeptBlob


class StoreWithFormer:
    """New documents go to the present store; what is not there yet is read from the former one."""

    def __init__(self, present: BlobStore, former: BlobStore) -> None:
        self._present, self._former = present, former

    def reach(self) -> None:
        """Of both: each has documents."""
        self._present.reach()
        self._former.reach()

    def receive(self) -> IncomingBlob:
        return self._present.receive()

    def open(self, key: str) -> BlobReader:
        """A blob may be moved between two looks, so the present store is asked again at the end."""
        for store in (self._present, self._former):
            try:
                return store.open(key)
            except DamagedBlob:
                continue
        return self._present.open(key)

    def delete(self, key: str) -> None:
        self._present.delete(key)
        self._former.delete(key)

    def blobs(self, *, sha256: str = "") -> Iterator[KeptBlob]:
        """A blob that both stores hold comes twice."""
        yield from self._present.blobs(sha256=sha256)
        yield from self._former.blobs(sha256=sha256)

    def clear_leftovers(self, *, before: float) -> int:
        return self._present.clear_leftovers(before=before) + self._former.clear_leftovers(before=before)
