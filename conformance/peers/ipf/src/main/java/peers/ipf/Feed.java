package peers.ipf;

import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Patient Identity Feed [ITI-8] over MLLP: whoever is fed is known. Merges are acknowledged and not carried out. */
final class Feed {
    private static final int START = 0x0B;
    private static final int END = 0x1C;

    private final Store store;
    private final ServerSocket listening;

    Feed(Store store, String host, int port) throws IOException {
        this.store = store;
        this.listening = new ServerSocket(port, 16, InetAddress.getByName(host));
    }

    int port() {
        return listening.getLocalPort();
    }

    void start() {
        daemon(this::accept);
    }

    private static void daemon(Runnable work) {
        var thread = new Thread(work, "feed");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        while (!listening.isClosed()) {
            try {
                var sender = listening.accept();
                daemon(() -> answer(sender));
            } catch (IOException closed) {
                return;
            }
        }
    }

    private void answer(Socket sender) {
        try (sender; var in = new BufferedInputStream(sender.getInputStream())) {
            for (var message = frame(in); message != null; message = frame(in)) {
                sender.getOutputStream().write(acknowledged(message));
                sender.getOutputStream().flush();
            }
        } catch (IOException gone) {
            System.err.println("feed: a sender went away: " + gone.getMessage());
        }
    }

    /** The message between 0x0B and 0x1C, null at the end of the connection. */
    private static String frame(InputStream in) throws IOException {
        for (var octet = in.read(); octet != START; octet = in.read()) {
            if (octet < 0) {
                return null;
            }
        }
        var message = new ByteArrayOutputStream();
        for (var octet = in.read(); octet != END; octet = in.read()) {
            if (octet < 0) {
                return null;
            }
            message.write(octet);
        }
        return message.toString(StandardCharsets.UTF_8);
    }

    private byte[] acknowledged(String message) {
        var controlId = "";
        for (var segment : message.split("[\r\n]+")) {
            var fields = segment.split("\\|", -1);
            if (fields[0].equals("MSH") && fields.length > 9) {
                controlId = fields[9];
            } else if (fields[0].equals("PID") && fields.length > 3) {
                Arrays.stream(fields[3].split("~")).map(Identifiable::parse).forEach(store::know);
            }
        }
        var text = "MSH|^~\\&|IPF|IPF|||20260101000000||ACK|" + controlId + "A|P|2.3.1\rMSA|AA|" + controlId + "\r";
        return ((char) START + text + (char) END + "\r").getBytes(StandardCharsets.UTF_8);
    }
}
