"""A small XDS.b client over HTTP, for the command line and the demonstration. ITI TF-2: 3.18, 3.41, 3.43.

It writes messages with the same codecs as the server; `examples/` shows the same with zeep.
"""

import http.client
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lxml import etree

from carnet.reports import Report
from soap.mtom import MtomPart, write_multipart
from xds.ebrim.write import write_submit_objects_request
from xds.metadata import Submission
from xds.vocabulary import QUERY, RIM, RS, XDS_B, ResponseStatus
from xds.xml import parse
