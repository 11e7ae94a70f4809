-- Spreads an empty database of Carnet over the machines of a Citus cluster.
-- Written by `docs/generate.py` from storage/distribution.py; do not edit.
-- Run once, after `carnet db upgrade`, before the first document:
--   psql -v ON_ERROR_STOP=1 -f citus.sql

SELECT create_distributed_table('registry_object', 'patient_key', colocate_with => 'none');
SELECT create_distributed_table('object_value', 'patient_key', colocate_with => 'registry_object');
SELECT create_distributed_table('patient_resource', 'patient_key', colocate_with => 'registry_object');
SELECT create_reference_table('patient');
SELECT create_reference_table('patient_alias');
SELECT create_distributed_table('identity', 'value', colocate_with => 'none');
SELECT create_distributed_table('document', 'unique_id', colocate_with => 'none');
SELECT create_distributed_table('removed_document', 'unique_id', colocate_with => 'document');
SELECT create_distributed_table('document_version', 'set_id', colocate_with => 'none');
SELECT create_distributed_table('blob', 'blob_key', colocate_with => 'none');
SELECT create_distributed_table('assertion_use', 'assertion', colocate_with => 'none');
SELECT create_distributed_table('record_right', 'record_key', colocate_with => 'none');
SELECT create_distributed_table('record_representative', 'record_key', colocate_with => 'record_right');
SELECT create_distributed_table('record_person', 'record_key', colocate_with => 'record_right');
SELECT create_distributed_table('record_channel', 'record_key', colocate_with => 'record_right');
SELECT create_distributed_table('record_read', 'record_key', colocate_with => 'record_right');
SELECT create_distributed_table('record_reader', 'record_key', colocate_with => 'record_right');
SELECT create_reference_table('dmp_record');
SELECT create_reference_table('record_identifier');
SELECT create_reference_table('record_access');
SELECT create_reference_table('directory_professional');
SELECT create_reference_table('directory_structure');
SELECT create_reference_table('directory_software');

-- These stay on the coordinator:
-- audit_record: one chain, sealed by one writer, in one order.
-- audit_receiver: one chain, sealed by one writer, in one order.
-- audit_quarantine: one chain, sealed by one writer, in one order.
-- audit_purged: one chain, sealed by one writer, in one order.
-- audit_hold: one chain, sealed by one writer, in one order.
-- outbox: a queue in one order, emptied as it is filled.
-- notification: a queue in one order, emptied as it is filled.
-- notice_delivery: a queue in one order, emptied as it is filled.
-- queued_submission: a queue in one order, emptied as it is filled.
-- job_done: a queue in one order, emptied as it is filled.
-- awaited_document: a queue in one order, emptied as it is filled.
-- record_creation: written beside a document, read by no search.
-- document_fed: written beside a document, read by no search.
-- subscription: written beside a document, read by no search.
-- record_event: written beside a document, read by no search.
