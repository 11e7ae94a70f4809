package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.LocalizedString;

import java.util.LinkedHashMap;
import java.util.Map;

/** The coded value of each attribute. An affinity domain that closes its lists is served by overriding these. */
final class Codes {
    private static final Map<String, String> DEFAULTS = Map.ofEntries(
            Map.entry("classCode", "10^Compte rendu^1.2.250.1.213.1.1.4.1"),
            Map.entry("typeCode", "11488-4^CR de consultation^2.16.840.1.113883.6.1"),
            Map.entry("formatCode", "urn:ihe:iti:xds-sd:pdf:2008^PDF dans un CDA^1.3.6.1.4.1.19376.1.2.3"),
            Map.entry("healthcareFacilityTypeCode", "SA07^Cabinet individuel^1.2.250.1.71.4.2.4"),
            Map.entry("practiceSettingCode", "AMBULATOIRE^Ambulatoire^1.2.250.1.213.1.1.4.9"),
            Map.entry("confidentialityCode", "N^Normal^2.16.840.1.113883.5.25"),
            Map.entry("otherConfidentialityCode", "R^Restreint^2.16.840.1.113883.5.25"),
            Map.entry("eventCodeList", "YYYY600^Suppl\u00e9ment invent\u00e9^1.2.250.1.213.2.5"),
            Map.entry("contentTypeCode", "07^Consultations, soins externes^1.2.250.1.213.2.2"),
            Map.entry("codeList", "SUIVI^Suivi invent\u00e9^2.25.58021354"));

    private final Map<String, String> values = new LinkedHashMap<>(DEFAULTS);

    /** `classCode=10^Compte rendu^1.2.250.1.213.1.1.4.1`; throws IllegalArgumentException with what was found. */
    void override(String assignment) {
        var halves = assignment.split("=", 2);
        if (halves.length != 2 || !DEFAULTS.containsKey(halves[0]) || halves[1].split("\\^").length != 3) {
            throw new IllegalArgumentException("--code takes ATTRIBUTE=CODE^DISPLAY^SCHEME with an ATTRIBUTE of "
                    + DEFAULTS.keySet().stream().sorted().toList() + ", found \"" + assignment + "\"");
        }
        values.put(halves[0], halves[1]);
    }

    Code of(String attribute) {
        var parts = values.get(attribute).split("\\^");
        return new Code(parts[0], new LocalizedString(parts[1], "fr-FR", "UTF-8"), parts[2]);
    }
}
