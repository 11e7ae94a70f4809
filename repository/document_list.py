"""The built-in provider of on-demand documents: the list of a record's documents, as CDA."""

from dataclasses import dataclass

from cda.document_list import DocumentList, write_document_list
from repository.on_demand_source import OnDemandDocument
from xds.datatypes import DTM

NAME = "document-list"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentListProvider:
    """`repository.on_demand_source.Provider`; `custodian` is the OID of the repository."""

    custodian: str
    custodian_name: str = "Carnet"

    def content(self, document: OnDemandDocument, *, unique_id: str, made: DTM) -> bytes:
        patient_id = document.entry.patient_id
        if patient_id is None:
            raise ValueError("an on-demand entry without patientId was registered")
        return write_document_list(
            DocumentList(
                unique_id=unique_id,
                custodian=self.custodian,
                custodian_name=self.custodian_name,
                patient_id=patient_id,
                made=made,
                entries=document.record,
            )
        )
