package peers.ipf;

import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/** One address per actor: looks at the start of the message for its wsa:Action and hands it to IPF's service. */
final class Door extends HttpServlet {
    private static final int LOOKED_AT = 64 * 1024;
    private static final Pattern ACTION = Pattern.compile("<(?:[\\w.-]+:)?Action\\b[^>]*>\\s*([^<\\s]+)\\s*<");

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException, ServletException {
        var start = request.getInputStream().readNBytes(LOOKED_AT);
        var action = ACTION.matcher(new String(start, StandardCharsets.ISO_8859_1));
        var service = action.find() ? Server.SERVICES.get(action.group(1)) : null;
        if (service == null) {
            response.sendError(HttpServletResponse.SC_BAD_REQUEST, "no wsa:Action of a transaction that is served here");
            return;
        }
        var whole = new SequenceInputStream(new ByteArrayInputStream(start), request.getInputStream());
        request.getRequestDispatcher(service).forward(new Replayed(request, whole), response);
    }

    /** The request with its body as if nobody had looked. */
    private static final class Replayed extends HttpServletRequestWrapper {
        private final ServletInputStream body;

        Replayed(HttpServletRequest request, InputStream whole) {
            super(request);
            body = new Body(whole);
        }

        @Override
        public ServletInputStream getInputStream() {
            return body;
        }

        @Override
        public BufferedReader getReader() {
            return new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
        }
    }

    private static final class Body extends ServletInputStream {
        private final InputStream whole;
        private boolean ended;

        Body(InputStream whole) {
            this.whole = whole;
        }

        @Override
        public int read() throws IOException {
            var octet = whole.read();
            ended = octet < 0;
            return octet;
        }

        @Override
        public int read(byte[] octets, int from, int length) throws IOException {
            var count = whole.read(octets, from, length);
            ended = count < 0;
            return count;
        }

        @Override
        public boolean isFinished() {
            return ended;
        }

        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setReadListener(ReadListener listener) {
            throw new UnsupportedOperationException("read in the request's own thread");
        }
    }
}
