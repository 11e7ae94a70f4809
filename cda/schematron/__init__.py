"""ISO Schematron on lxml: XPath 1.0, the extension functions that published rules call, tables for what is simple.

`load` reads files into values, `compile_schema` makes them ready, `Schema.failures` runs them on the `Nodes` of
a document. A rule pack is compiled once and runs on any number of documents.
"""

from cda.schematron.compiler import compile_schema
from cda.schematron.load import SchemaError, SchemaSource, load
from cda.schematron.nodes import Nodes
from cda.schematron.schema import Failure, NotRun, Schema, ValueSets

__all__ = ["Failure", "Nodes", "NotRun", "Schema", "SchemaError", "SchemaSource", "ValueSets", "compile_schema", "load"]
