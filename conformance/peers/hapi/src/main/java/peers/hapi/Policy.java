package peers.hapi;

import org.hl7.fhir.r5.model.ElementDefinition;
import org.hl7.fhir.r5.model.StructureDefinition;
import org.hl7.fhir.r5.model.ValueSet;
import org.hl7.fhir.r5.utils.validation.IResourceValidator;
import org.hl7.fhir.r5.utils.validation.constants.BindingKind;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;
import org.hl7.fhir.validation.instance.advisor.BasePolicyAdvisorForFullValidation;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Everything is checked but what only a server could answer: other resources, and codes of BCP 13, which no package has. */
final class Policy extends BasePolicyAdvisorForFullValidation {
    private static final String MEDIA_TYPES = "urn:ietf:bcp:13";

    Policy() {
        super(ReferenceValidationPolicy.IGNORE, Set.of());
    }

    @Override
    public EnumSet<CodedContentValidationAction> policyForCodedContent(
            IResourceValidator validator, Object context, String path, ElementDefinition element, StructureDefinition structure,
            BindingKind kind, AdditionalBindingPurpose purpose, ValueSet valueSet, List<String> systems) {
        var isOfMediaTypes = valueSet != null
                && valueSet.getCompose().getInclude().stream().anyMatch(one -> MEDIA_TYPES.equals(one.getSystem()));
        return isOfMediaTypes
                ? EnumSet.noneOf(CodedContentValidationAction.class)
                : super.policyForCodedContent(validator, context, path, element, structure, kind, purpose, valueSet, systems);
    }
}
