"""HL7 version 3 messages: XML elements in, typed values out, answers as bytes. ITI TF-2: 3.44, ITI TF-2x: O."""
