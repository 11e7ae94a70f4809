package peers.ipf;

import jakarta.activation.DataHandler;
import jakarta.mail.util.ByteArrayDataSource;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Document;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Folder;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;

import java.util.List;

/** What steps build on: one shared submission, made when first needed, and a fresh document for each step that changes one. */
final class Fixtures {
    final Metadata metadata;
    private Shared shared;
    private Failed sharedFailure;

    Fixtures(Metadata metadata) {
        this.metadata = metadata;
    }

    /** A report and its annex in a folder, and an addendum to the report in a second submission. */
    record Shared(SubmissionSet set, Folder folder, DocumentEntry report, byte[] reportContent, DocumentEntry annex,
                  byte[] annexContent, Association reportInFolder) {
    }

    /** One document with its SubmissionSet and their HasMember. */
    record Fresh(SubmissionSet set, DocumentEntry entry, byte[] content, Association member) {
    }

    Shared shared(Trial trial) throws Failed {
        if (sharedFailure != null) {
            throw new Failed("needs the documents of iti41/two-documents-in-a-folder, which failed: "
                    + sharedFailure.getMessage(), sharedFailure);
        }
        if (shared == null) {
            try {
                shared = provideShared(trial);
            } catch (Failed failure) {
                sharedFailure = failure;
                throw failure;
            }
        }
        return shared;
    }

    private Shared provideShared(Trial trial) throws Failed {
        var set = metadata.aSubmissionSet("Consultation et annexe");
        var folder = metadata.aFolder("Suivi de l'ann\u00e9e");
        var report = metadata.anEntry("Compte rendu \u00ab initial \u00bb", "text/plain");
        var annex = metadata.anEntry("Annexe", "application/octet-stream");
        var reportContent = Metadata.aText("consultation");
        var annexContent = Metadata.binary(300_000);
        var reportInFolder = Metadata.relation(AssociationType.HAS_MEMBER, folder.getEntryUuid(), report.getEntryUuid());
        var annexInFolder = Metadata.relation(AssociationType.HAS_MEMBER, folder.getEntryUuid(), annex.getEntryUuid());
        var request = ProvideAndRegisterDocumentSet.supportiveBuilderWith(set)
                .withDocuments(List.of(document(report, reportContent), document(annex, annexContent)))
                .withFolder(folder)
                .withAssociations(List.of(reportInFolder, annexInFolder))
                .build();
        Trial.success(trial.provide(request));
        return new Shared(set, folder, report, reportContent, annex, annexContent, reportInFolder);
    }

    Fresh fresh(Trial trial, String title) throws Failed {
        var set = metadata.aSubmissionSet("Lot : " + title);
        var entry = metadata.anEntry(title, "text/plain");
        var content = Metadata.aText(title);
        var member = Metadata.member(set, entry.getEntryUuid(), AssociationLabel.ORIGINAL);
        try {
            Trial.success(trial.provide(request(set, document(entry, content), List.of(member))));
        } catch (Failed failure) {
            throw new Failed("the document this step starts from was not taken by iti41: " + failure.getMessage(), failure);
        }
        return new Fresh(set, entry, content, member);
    }

    static ProvideAndRegisterDocumentSet request(SubmissionSet set, Document document, List<Association> associations) {
        return ProvideAndRegisterDocumentSet.builderWith(set).withDocument(document).withAssociations(associations).build();
    }

    static Document document(DocumentEntry entry, byte[] content) {
        return new Document(entry, new DataHandler(new ByteArrayDataSource(content, entry.getMimeType())));
    }
}
