package peers.hapi;

import org.hl7.fhir.exceptions.FHIRException;
import org.hl7.fhir.r5.context.IWorkerContext;
import org.hl7.fhir.r5.fhirpath.BaseHostServices;
import org.hl7.fhir.r5.fhirpath.FHIRPathEngine;
import org.hl7.fhir.r5.model.Base;
import org.hl7.fhir.r5.model.ValueSet;
import org.hl7.fhir.utilities.fhirpath.FHIRPathConstantEvaluationMode;

import java.util.List;

/** What FHIRPath finds outside of the resource it is in: nothing, because nothing is fetched. */
final class Nothing extends BaseHostServices {
    Nothing(IWorkerContext context) {
        super(context);
    }

    /** The engine asks for names of elements too before it looks at them: an application could know them as constants. */
    @Override
    public List<Base> resolveConstant(FHIRPathEngine engine, Object application, String name, FHIRPathConstantEvaluationMode mode) {
        return List.of();
    }

    @Override
    public Base resolveReference(FHIRPathEngine engine, Object application, String url, Base from) {
        return null;
    }

    @Override
    public ValueSet resolveValueSet(FHIRPathEngine engine, Object application, String url) {
        return context.fetchResource(ValueSet.class, url);
    }

    @Override
    public boolean conformsToProfile(FHIRPathEngine engine, Object application, Base item, String url) throws FHIRException {
        throw new FHIRException("conformsTo(" + url + ") is not known here");
    }

    @Override
    public Base findContainingResource(Object application, Base item) {
        return null;
    }

    @Override
    public boolean log(String argument, List<Base> focus) {
        return false;
    }

    @Override
    public boolean paramIsType(String name, int index) {
        return false;
    }
}
